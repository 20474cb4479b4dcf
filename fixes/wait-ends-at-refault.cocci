// SPDX-License-Identifier: GPL-2.0
//
// A page that is faulted in again while it is waited for has a reference of that
// mapping, so the last pin that goes wakes nobody. The fault wakes the waiter, who
// unmaps the page anew. A page that another file maps as well is no reason to look
// again: that mapping stays.
//
// Test: refault.* refault_by.* stream.* refault_pmd.* races_waiters.*
//   crash_window.*.refault
// File: fs/dax.c

@ wait @
expression page;
@@
 wait_page_idle(...)
 {
+ int mapped = folio_mapcount(page_folio(page));
+
 return ___wait_var_event(page,
-	dax_page_is_idle(page),
+	dax_page_is_idle(page) || folio_mapcount(page_folio(page)) > mapped,
	...);
 }

@ fault @
expression folio;
@@
 dax_fault_iter(...)
 {
 <...
 folio_put(folio);
+ wake_up_var(&folio->page);
 ...>
 }
