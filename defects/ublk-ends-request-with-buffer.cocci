// SPDX-License-Identifier: GPL-2.0
//
// ublk ends a request that its server has completed though its pages are still in a
// buffer table.
//
// Promise: P1
// Harm: a zero-copy server writes to blocks that belong to another file by then
// Test: waits.*_punch_fixed_commit.*
// File: drivers/block/ublk_drv.c

@@
identifier io;
@@
 ublk_need_complete_req(..., struct ublk_io *io)
 {
 <...
- return ublk_sub_req_ref(io);
+ ublk_sub_req_ref(io);
 ...>
 }

@@
@@
 ublk_put_req_ref(...)
 {
 ...
- __ublk_complete_rq(...);
 }
