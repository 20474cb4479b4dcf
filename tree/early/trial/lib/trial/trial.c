// SPDX-License-Identifier: GPL-2.0
int trial_setup(struct trial *trial, const char *op, const char *holder)
{
	const struct dax_file_spec spec = { .dir = testbed_dir(), .pages = 4 };
	int rc;

	memset(trial, 0, sizeof(*trial));
	trial->op = op_find(op);
	rc = dax_file_create(&trial->file, &spec);
	if (rc)
		return rc;
	trial->target.fd = trial->file.fd;
	trial->target.start = trial->file.page_size;
	trial->target.len = 2 * trial->file.page_size;
	rc = waiter_fork(&trial->waiter, trial->op->name, run_op, trial) ?:
	     holder_open(&trial->holder, holder) ?:
	     dax_file_map(&trial->file, "shared", DAX_PTE);
	if (rc)
		trial_end(trial);
	return rc;
}

int trial_hold(struct trial *trial, unsigned int page)
{
	dax_file_touch(&trial->file, page);
	return holder_hold(&trial->holder, page, dax_file_page(&trial->file, page),
			   trial->file.page_size);
}

int trial_release(struct trial *trial, unsigned int page)
{
	return holder_release(&trial->holder, page);
}

void trial_start(struct trial *trial)
{
	waiter_start(&trial->waiter);
}

const char *trial_describe(const struct trial *trial)
{
	static char text[1024];
	const char *held = holder_describe(&trial->holder);

	snprintf(text, sizeof(text), "%s, with page %s pinned by %s",
		 waiter_describe(&trial->waiter), held[0] ? held : "none",
		 trial->holder.ops->what);
	return text;
}

void trial_end(struct trial *trial)
{
	bool gone;

	holder_close(&trial->holder);
	dax_file_unmap(&trial->file);
	gone = waiter_end(&trial->waiter);
	if (!gone)
		fprintf(stderr, "# left behind: process %d (%s) survives SIGKILL; its file: %s\n",
			trial->waiter.pid, trial->waiter.name, trial->file.path);
	dax_file_close(&trial->file, !gone);
}
