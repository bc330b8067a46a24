-- title: Client operations
-- group: Tasks
-- columns: task_id!, name!, state!, targets, completed, succeeded, failed, waiting, created, offline, refused,
--   target, actor, not_after, class, state_reason, approver, cancelled, unknown, late, unsolicited, lasting,
--   task_guid
-- empty: no task was asked for
-- description: Tasks that somebody asked for, the newest first, with how many of their clients have come how far. What
--   they came to stays when the steps of the clients are no longer kept (tasks.keep).
-- param state String = '' in '', approval, active, ended, cancelled: Only these
-- param name String = '': Only tasks of this name, or whose name ends so; empty takes all
-- param days UInt32 = 0 in 0..100000: Only those created in so many days; 0 takes all
-- order: created DateTime64(6,'UTC') desc, task_guid UUID
-- note state: approval = a second person has to agree; active = some clients have come to no end
-- note completed: the client has it: received, running, succeeded or failed
-- note waiting: queued or pushed, and the client is connected
-- note offline: queued, and the client is not connected
-- note unknown: expired, or begun without an answer
-- note late: answered when the site waited no longer; counted as what they were before
-- note unsolicited: results of clients that nobody asked; counted nowhere else
-- note succeeded: of the completed
-- note failed: of the completed: ran and ended badly
-- note refused: the client does not do it
-- link task_id: task-steps?task={task_guid}
-- link offline: task-steps?task={task_guid}&step=queued
-- link failed: task-steps?task={task_guid}&step=failed
-- link refused: task-steps?task={task_guid}&step=refused
SELECT
    t.task_id AS task_id,
    t.name AS name,
    t.state AS state,
    t.state_reason AS state_reason,
    t.class AS class,
    t.target AS target,
    t.actor AS actor,
    t.approver AS approver,
    t.created AS created,
    t.not_after AS not_after,
    t.lasting AS lasting,
    c.targets AS targets,
    toUInt32(c.received + c.running + c.succeeded + c.failed) AS completed,
    c.succeeded AS succeeded,
    c.failed AS failed,
    c.refused AS refused,
    toUInt32(c.queued + c.pushed) AS waiting,
    c.offline AS offline,
    c.cancelled AS cancelled,
    toUInt32(c.expired + c.unknown) AS unknown,
    c.late AS late,
    c.unsolicited AS unsolicited,
    t.task_guid AS task_guid
FROM
(
    SELECT task_guid, task_id, name, CAST(tasks.state, 'String') AS state, CAST(tasks.state_reason, 'String') AS state_reason,
        CAST(tasks.class, 'String') AS class, target, actor, approver, created_time AS created, not_after,
        if(tasks.lasting = 1, 'yes', 'no') AS lasting
    FROM tasks FINAL
    WHERE ({state:String} = '' OR tasks.state = {state:String})
      AND ({name:String} = '' OR lower(name) = lower({name:String}) OR endsWith(lower(name), concat('.', lower({name:String}))))
      AND ({days:UInt32} = 0 OR created_time >= now64(6, 'UTC') - toIntervalDay({days:UInt32}))
) AS t
INNER JOIN task_counts AS c ON c.task_guid = t.task_guid
