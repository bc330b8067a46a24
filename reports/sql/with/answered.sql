-- What became of the resyncs in asked, which the query itself says: picked up by their client, completed, made needless by a baseline.
    picked AS (SELECT client_id, number, picked_up_time FROM resync_pickups FINAL WHERE client_id IN (SELECT client_id FROM asked)),
    completed AS
    (
        SELECT client_id, arraySort(groupArray((received_time, serial))) AS times FROM completions_data FINAL
        WHERE client_id IN (SELECT client_id FROM asked) GROUP BY client_id
    ),
    accepted AS
    (
        SELECT client_id, max(baselines.accepted_time) AS time FROM baselines WHERE client_id IN (SELECT client_id FROM asked) GROUP BY client_id
    ),
