// SPDX-License-Identifier: GPL-2.0
//
// io_uring keeps the pages that it got before it met one that it may not have.
//
// Promise: P7
// Harm: a buffer that was refused is pinned in part until reboot
// Test: longterm.*_fixed_buffer.private_partly_copied longterm.*_fixed_buffer.after_anonymous
//   aftermath.*_longterm_test.clean
// File: io_uring/memmap.c

@@
identifier ret;
@@
 io_pin_pages(...)
 {
 <...
- if (ret)
-	unpin_user_pages(...);
 ...>
 }
