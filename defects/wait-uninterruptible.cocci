// SPDX-License-Identifier: GPL-2.0
//
// The wait for a busy page cannot be interrupted.
//
// Promise: P3
// Harm: a process that waits for a lost device cannot be killed
// Test: interrupted.*.eintr killed.*_punch.* uring.*
// File: fs/dax.c

@@
@@
 wait_page_idle(...)
 {
 <...
- TASK_INTERRUPTIBLE
+ TASK_UNINTERRUPTIBLE
 ...>
 }
