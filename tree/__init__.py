# SPDX-License-Identifier: GPL-2.0
"""The way into a kernel tree."""
