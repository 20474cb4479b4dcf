// SPDX-License-Identifier: GPL-2.0
//
// FUSE does not look at what the server says to a fallocate().
//
// Promise: P5
// Harm: a program takes for zeroes what still is data, and for room what is none
// Test: failed.virtiofs_punch.* failed.virtiofs_zero.*
// File: fs/fuse/file.c

@@
expression fm;
symbol args, err;
@@
 fuse_file_fallocate(...)
 {
 ...
- err = fuse_simple_request(fm, &args);
+ fuse_simple_request(fm, &args);
 ...
 }
