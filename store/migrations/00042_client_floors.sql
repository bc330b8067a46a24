-- +goose NO TRANSACTION
-- +goose Up
-- The serial from which on a client's messages are expected: what is missing below
-- it is closed. A completion with serial S that names the first serial of its answer
-- sets that one, another sets S; a baseline sets the serial after it. completion_time
-- is the first arrival of the completion that set completion_floor, settled_time that
-- of the last completion or baseline.
CREATE VIEW IF NOT EXISTS client_floors AS
SELECT
    client_id,
    greatest(max(f.completion), max(f.baseline)) AS floor,
    max(f.completion) AS completion_floor,
    max(f.baseline) AS baseline_floor,
    argMax(f.time, (f.completion, f.earliest)) AS completion_time,
    max(f.time) AS settled_time
FROM
(
    SELECT
        client_id,
        if(match(params[1], '^[0-9]{1,19}$') AND toUInt64OrZero(params[1]) BETWEEN 1 AND serial, toUInt64OrZero(params[1]), serial) AS completion,
        toUInt64(0) AS baseline,
        received_time AS time,
        arrival_rank AS earliest
    FROM completions_data FINAL
    UNION ALL
    SELECT
        client_id,
        toUInt64(0) AS completion,
        CAST(baselines.serial, 'UInt64') + 1 AS baseline,
        CAST(baselines.accepted_time, 'DateTime64(6, \'UTC\')') AS time,
        toUInt64(0) AS earliest
    FROM baselines FINAL
) AS f
GROUP BY client_id;
