// SPDX-License-Identifier: GPL-2.0
//
// For a range that is collapsed ext4 breaks the layout of just that, not of what moves
// up behind it.
//
// Promise: P1
// Harm: data that a device delivers late ends up elsewhere in the file
// Test: pages.ext4_collapse.last
// File: fs/ext4/extents.c fs/ext4/inode.c

@@
expression host;
identifier ret;
@@
 ext4_fallocate(...)
 {
+ extern void ext4_wait_dax_page(struct inode *);
 ...
- ret = ext4_break_layouts(host);
+ ret = dax_break_layout(host, offset,
+		       mode & FALLOC_FL_COLLAPSE_RANGE ? offset + len - 1 : LLONG_MAX,
+		       ext4_wait_dax_page);
 ...
 }

@ header @
@@
 #include <linux/fs.h>
+ #include <linux/dax.h>

@ exported @
identifier fn = ext4_wait_dax_page;
identifier host;
@@
- static void fn(struct inode *host)
+ void fn(struct inode *host);
+ void fn(struct inode *host)
 { ... }
