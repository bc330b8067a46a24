-- How many steps each task has, and their versions added up.
SELECT task_guid, count() AS steps, sum(version) AS versions FROM task_steps FINAL WHERE task_id > 0 GROUP BY task_guid
