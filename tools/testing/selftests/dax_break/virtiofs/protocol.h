/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests in a guest and the server of virtiofs on the host say to each
 * other, through two files that the server puts into the root of the filesystem:
 *
 * .complaints	What the server's checker complains of, a line each. Truncating the file clears
 *		them; reading it from the start runs the checker.
 *
 * .control	Each write(2) to it is one order:
 *
 *	hold OP		carry out requests called OP, but keep the replies to them
 *	go		send the replies that were kept, and keep no more
 *	fail OP ERRNO	answer requests called OP with an error: "fail SETATTR EIO"
 *	keep_cache off	when a file is opened, have the guest drop what it has cached of it
 *	resize INO SIZE	give the file another size, in bytes, without telling the guest
 *	empty		remove all other files
 *
 *		OP is the name of a request in <linux/fuse.h> without its "FUSE_". The first
 *		four are in force until the file is closed, the last two are carried out at
 *		once. A write fails with EINVAL if the server does not know the order. No
 *		order affects requests for the two files themselves.
 *
 *		To read it tells the server's state: VIRTIOFS_STATE.
 */
#ifndef VIRTIOFS_PROTOCOL_H
#define VIRTIOFS_PROTOCOL_H

#define VIRTIOFS_CONTROL	".control"
#define VIRTIOFS_COMPLAINTS	".complaints"

/* For printf(3) and scanf(3): the replies that are kept, the ranges of the DAX window. */
#define VIRTIOFS_STATE		"held %u ranges %u\n"

#endif
