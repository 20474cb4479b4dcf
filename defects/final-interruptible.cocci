// SPDX-License-Identifier: GPL-2.0
//
// At the end of an inode a signal ends the sleep, but not the wait.
//
// Promise: P3
// Harm: a process that deletes a file and is killed burns a processor until the device
//   is done
// Test: killed_last.*.waits_on
// File: fs/dax.c

@@
@@
 wait_page_idle_uninterruptible(...)
 {
 <...
- TASK_UNINTERRUPTIBLE
+ TASK_INTERRUPTIBLE
 ...>
 }
