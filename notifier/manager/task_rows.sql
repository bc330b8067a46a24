-- The tasks, with their versions.
SELECT task_guid, version, open FROM tasks FINAL
