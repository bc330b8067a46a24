-- title: Completeness of the fleet
-- group: Completeness
-- columns: percent!, clients!, complete_clients, missing, incomplete_clients, oldest_missing, ranges,
--   complete_percent, last_check, conflicts, differing, changed, jumped_clients, jumped_missing, claims_aside,
--   unstored_clients
-- empty: no client has reported yet
-- description: How much of what the clients gave out has arrived, in one row, as of the last gap check. A client's
--   completeness is the share of its expected serials that have arrived; expected are those from its floor (1, or where
--   its latest completed resync or accepted baseline began) to the greatest seen or claimed. The fleet's is the mean of
--   its clients', so that one machine with a wild counter can't drown the others. What is missing below a serial that
--   jumped by more than 1,000,000 is counted apart.
-- note percent: mean of the clients' completeness, rounded down; empty until a gap check has run
-- note complete_percent: clients of which nothing is missing, rounded down
-- note changed: clients of whom something was loaded or claimed since the last gap check began: the next one looks at them
-- note oldest_missing: first noticed; empty when nothing is missing
-- note unstored_clients: gave out messages, of which nothing is stored and no gap check has found any missing: they wait to be loaded, or
--   are on their way. They are no complete clients, and count as 0 percent
-- note jumped_clients: with messages missing below a serial that jumped; nobody lost so many
-- note jumped_missing: missing there, beside those in missing
-- note claims_aside: clients that claimed a serial more than 1,000,000 above all that was received; nobody acts on it
-- link jumped_clients: serial-jumps?kind=messages
-- link claims_aside: serial-jumps?kind=claim
-- link complete_clients: client-completeness?only=all
-- link missing: missing-ranges?min_age_hours=0
-- link ranges: missing-ranges?min_age_hours=0
-- link incomplete_clients: client-completeness?only=incomplete
-- link conflicts: conflicts?kind=
-- with: aside, bounds
WITH
    (SELECT toNullable(max(watermark)) FROM resync_checks HAVING count() > 0) AS looked,
    (SELECT count() FROM client_stats_data FINAL
        WHERE client_id NOT IN (SELECT client_id FROM retired_clients)) AS reporting,
    -- Clients that only ever asked for their policy count, too.
    (
        SELECT (uniqExact(client_id), uniqExactIf(client_id, last_serial > 0
            AND client_id NOT IN (SELECT client_id FROM missing_ranges FINAL WHERE closed = 0)))
        FROM clients_unheard
    ) AS unheard,
    unheard.1 AS claiming,
    unheard.2 AS unstored,
    gaps AS
    (
        SELECT client_id, countIf(jump = 0) AS ranges,
            sumIf(toUInt64(last_serial - first_serial + 1), jump = 0) AS missing,
               sumIf(toUInt64(last_serial - first_serial + 1), jump = 1) AS apart
        FROM missing_ranges FINAL
        WHERE closed = 0 AND client_id NOT IN (SELECT client_id FROM retired_clients)
        GROUP BY client_id
    ),
    lost AS
    (
        SELECT
            countIf(gaps.ranges > 0) AS clients,
            sum(gaps.ranges) AS open,
            sum(toFloat64(gaps.missing)) AS messages,
            countIf(gaps.apart > 0) AS jumped,
            sum(toFloat64(gaps.apart)) AS apart_messages,
            sum(least(gaps.missing / greatest(toInt64(high - low + 1 - gaps.apart), 1), 1)) AS shares
        FROM gaps
        LEFT JOIN bounds ON bounds.client_id = gaps.client_id
    )
SELECT
    multiIf(looked IS NULL, NULL, lost.clients + unstored = 0, 100.,
        least(floor(100 * greatest(1 - (lost.shares + unstored) / greatest(_all, 1), 0), 2), 99.99)) AS percent,
    toUInt64(reporting + claiming) AS _all,
    _all AS clients,
    toUInt64(greatest(toInt64(_all) - toInt64(lost.clients) - toInt64(unstored), 0)) AS complete_clients,
    multiIf(looked IS NULL, NULL, lost.clients + unstored = 0, 100.,
        least(floor(100 * complete_clients / greatest(_all, 1), 2), 99.99)) AS complete_percent,
    lost.clients AS incomplete_clients,
    lost.messages AS missing,
    toUInt64(lost.open) AS ranges,
    (SELECT toNullable(min(DetectedTime)) FROM SR_MissingMessageRanges WHERE SerialJump = 0
        HAVING count() > 0) AS oldest_missing,
    (SELECT uniqExact(client_id) FROM open_conflicts
        WHERE client_id NOT IN (SELECT client_id FROM retired_clients)) AS conflicts,
    (SELECT count() FROM differing_clients FINAL
        WHERE differs = 1 AND client_id NOT IN (SELECT client_id FROM retired_clients)) AS differing,
    (
        SELECT uniqExact(client_id)
        FROM
        (
            SELECT client_id FROM client_stats_data WHERE client_stats_data.loaded_time >= looked
            UNION ALL
            SELECT client_id FROM client_claims WHERE client_claims.loaded_time >= looked
        )
        WHERE client_id NOT IN (SELECT client_id FROM retired_clients)
    ) AS changed,
    (SELECT toNullable(max(time)) FROM resync_checks HAVING count() > 0) AS last_check,
    lost.jumped AS jumped_clients,
    lost.apart_messages AS jumped_missing,
    (SELECT count() FROM aside
        WHERE client_id NOT IN (SELECT client_id FROM retired_clients)) AS claims_aside,
    unstored AS unstored_clients
FROM lost
