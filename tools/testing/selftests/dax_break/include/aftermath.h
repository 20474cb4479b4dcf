/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Aftermath: have the tests of a program left anything behind in the kernel or in its
 * filesystems? What one test breaks quietly is seen here.
 */
#ifndef DAX_BREAK_AFTERMATH_H
#define DAX_BREAK_AFTERMATH_H

/* Notes how things are; to be called before the tests are forked. */
int aftermath_begin(void);

/*
 * 0 if it is all as it was: filesystem @fs can be unmounted, its checker finds no fault,
 * and it has as much free as at the beginning; as many pages are pinned (FOLL_PIN), and
 * mapped by PMDs, as then. Else -EIO. -EOPNOTSUPP: there is no checker.
 */
int aftermath_check(const char *fs);

#endif
