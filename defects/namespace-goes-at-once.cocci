// SPDX-License-Identifier: GPL-2.0
//
// The struct pages of a namespace go without waiting for the last reference.
//
// Promise: P8
// Harm: disabling a namespace frees what a device, and its driver, still point to
// Test: crash_namespace.*
// File: mm/memremap.c

@@
@@
 memunmap_pages(...)
 {
 ...
- wait_for_completion(...);
 ...
 }
