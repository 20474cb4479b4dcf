// SPDX-License-Identifier: GPL-2.0
//
// The entries go even if the wait for a busy page was ended by a signal.
//
// Promise: P3
// Harm: truncate that was interrupted, then tried again, no longer sees the DMA that it
//   waited for
// Test: restarted.*.after_signal interrupted.*
// File: fs/dax.c

@@
expression page;
@@
 dax_break_layout(...)
 {
 ...
- if (!page)
 dax_delete_mapping_range(...);
 ...
 }
