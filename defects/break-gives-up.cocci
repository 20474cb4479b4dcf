// SPDX-License-Identifier: GPL-2.0
//
// Whoever has waited for ten seconds goes on all the same.
//
// Promise: P1
// Harm: a slow or stalled device, once it answers, writes to blocks of other files
// Test: patience.*
// File: fs/dax.c fs/ext4/inode.c fs/xfs/xfs_inode.c

@ loop @
expression page, cb, inode;
identifier error;
@@
 dax_break_layout(...)
 {
+ unsigned long give_up = jiffies + 10 * HZ;
 <...
- error = wait_page_idle(page, cb, inode);
+ error = ___wait_var_event(page, dax_page_is_idle(page) ||
+			    time_after(jiffies, give_up),
+			    TASK_INTERRUPTIBLE, 0, 0, cb(inode));
+ if (time_after(jiffies, give_up))
+	break;
 ...>
 }

@ sleep @
identifier fn =~ "^(ext4|xfs)_wait_dax_page$";
@@
 fn(...)
 {
 <...
- schedule();
+ schedule_timeout(HZ / 4);
 ...>
 }
