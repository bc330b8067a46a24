-- The greatest number that a version of the tables of tasks holds, and that of a task.
SELECT greatest((SELECT max(version) FROM tasks), (SELECT max(bitAnd(version, {mask:UInt64})) FROM task_steps)) AS version,
    (SELECT max(task_id) FROM tasks) AS last
