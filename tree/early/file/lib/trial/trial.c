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
	     dax_file_map(&trial->file);
	if (rc)
		trial_end(trial);
	return rc;
}
