-- +goose NO TRANSACTION
-- +goose Up
-- The step of each client in each task, without clients that nobody asked.
CREATE VIEW IF NOT EXISTS BGB_ResTaskHistory AS
SELECT client_id AS ResourceID, task_id AS TaskID, CAST(step, 'String') AS State, step_time AS StateTime,
    task_guid AS TaskGUID, push_id AS PushID, push_count AS PushCount, server_id AS ServerID, exit_code AS ExitCode,
    task_steps.reason AS Reason, task_steps.late AS Late
FROM task_steps FINAL
WHERE unsolicited = 0;
