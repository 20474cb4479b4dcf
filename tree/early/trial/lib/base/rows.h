/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tables whose rows are in many files, each beside what it is about: a structure that begins
 * with its name. ROW() defines it, and adds it to its table before main() begins.
 */
#ifndef DAX_BREAK_BASE_ROWS_H
#define DAX_BREAK_BASE_ROWS_H

#endif
