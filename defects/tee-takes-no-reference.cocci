// SPDX-License-Identifier: GPL-2.0
//
// tee() copies a pipe buffer without taking a reference to its page.
//
// Promise: P1
// Harm: data that was sent to two pipes turns into that of other files once one is read
// Test: waits.*_punch_tee.*
// File: fs/pipe.c

@@
@@
 generic_pipe_buf_get(...)
 {
- return try_get_page(...);
+ return true;
 }
