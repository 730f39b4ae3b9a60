-- When a task run's quality gate was asked, had taken the question, and released the task run; 0 = not yet.
ALTER TABLE task_runs ADD COLUMN gate_asked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE task_runs ADD COLUMN gate_taken INTEGER NOT NULL DEFAULT 0;
ALTER TABLE task_runs ADD COLUMN gate_released INTEGER NOT NULL DEFAULT 0;
