// SPDX-License-Identifier: GPL-2.0
//
// The range is looked at twice at most, however often a busy page was found.
//
// Promise: P1
// Harm: buffers of three pages or more are freed while a device still fills them
// Test: pages.*.all_ascending
// File: fs/dax.c

@@
identifier error;
@@
 dax_break_layout(...)
 {
+ int looks = 0;
 <...
 error = wait_page_idle(...);
+ if (++looks == 2)
+	break;
 ...>
 }
