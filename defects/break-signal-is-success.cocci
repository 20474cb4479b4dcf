// SPDX-License-Identifier: GPL-2.0
//
// A wait that a signal ended counts as one that found all pages idle.
//
// Promise: P3
// Harm: a process that is killed, or has a timer, frees the blocks that it waited for
//   under DMA
// Test: interrupted.*.eintr
// File: fs/dax.c

@@
identifier error;
@@
 dax_break_layout(...)
 {
 ...
- return error;
+ return error == -ERESTARTSYS && cb ? 0 : error;
 }
