// SPDX-License-Identifier: GPL-2.0
//
// io_uring registers buffers by pins that are not long-term ones.
//
// Promise: P7
// Harm: truncate() waits for as long as the ring exists
// Test: longterm.*_fixed_buffer.*
// File: io_uring/memmap.c

@@
@@
 io_pin_pages(...)
 {
 <...
- FOLL_WRITE | FOLL_LONGTERM
+ FOLL_WRITE
 ...>
 }
