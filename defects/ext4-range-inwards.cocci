// SPDX-License-Identifier: GPL-2.0
//
// ext4 breaks the layout of those pages only that are wholly within the range.
//
// Promise: P1
// Harm: zeroing part of a page meets the data that a device is delivering to it
// Test: partial.ext4_*
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
+ if (mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE))
+	ret = ext4_break_layouts(host);
+ else if (round_up(offset, PAGE_SIZE) < round_down(offset + len, PAGE_SIZE))
+	ret = dax_break_layout(host, round_up(offset, PAGE_SIZE),
+			       round_down(offset + len, PAGE_SIZE) - 1,
+			       ext4_wait_dax_page);
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
