-- When a task run was marked as late; 0 = it was not.
ALTER TABLE task_runs ADD COLUMN dependency_late INTEGER NOT NULL DEFAULT 0;
ALTER TABLE task_runs ADD COLUMN output_late INTEGER NOT NULL DEFAULT 0;
