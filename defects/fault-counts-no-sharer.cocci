// SPDX-License-Identifier: GPL-2.0
//
// Of the files that share a page only the first two count, and only as one: the page is
// let go when one of them lets go.
//
// Promise: P9
// Harm: blocks that are still mapped through one clone are taken for unused by all
// Test: sibling.*
// File: fs/dax.c

@@
expression folio;
@@
 dax_associate_entry(...)
 {
 <...
- folio->share++;
 ...>
 }
