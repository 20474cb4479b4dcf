// SPDX-License-Identifier: GPL-2.0
//
// A page with one reference counts as idle when waiting for it, but not when looking
// for busy ones: the convention of kernels before 6.15.
//
// Promise: P2
// Harm: waiting for a page in a pipe burns a processor until it is read
// Test: waits.*_punch_vmsplice.two_pins_one_by_one
// File: fs/dax.c

@@
expression page;
@@
 wait_page_idle(...)
 {
 <...
- dax_page_is_idle(page)
+ page_ref_count(page) <= 1
 ...>
 }
