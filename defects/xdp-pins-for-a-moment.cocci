// SPDX-License-Identifier: GPL-2.0
//
// AF_XDP registers memory by pins that are not long-term ones.
//
// Promise: P7
// Harm: truncate() waits for as long as the socket exists
// Test: longterm.*_xdp_umem.*
// File: net/xdp/xdp_umem.c

@@
expression flags;
@@
- flags | FOLL_LONGTERM
+ flags
