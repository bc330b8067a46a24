-- The versions of a task's steps.
SELECT client_id, version FROM task_steps FINAL WHERE task_guid = {task:UUID}
