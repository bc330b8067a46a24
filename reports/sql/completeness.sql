-- title: Completeness of the fleet
-- group: Completeness
-- description: How much of what the clients gave out has arrived, in one row, as of the last gap check. A client's completeness is
--   the share of its expected serials that have arrived; expected are those from its floor (1, or where its latest completed
--   resync or accepted baseline began) to the greatest seen or claimed. The fleet's is the mean of its clients', so that one
--   machine with a wild counter can't drown the others.
-- note percent: mean of the clients' completeness, rounded down
-- note complete_percent: clients of which nothing is missing, rounded down
-- note expected: serials from each client's floor to the greatest that it used or claimed
-- note oldest_missing: first noticed; empty when nothing is missing
-- link complete_clients: client-completeness?only=all
-- link missing: missing-ranges?min_age_hours=0
-- link ranges: missing-ranges?min_age_hours=0
-- link incomplete_clients: client-completeness?only=incomplete
-- link conflicts: conflicts?kind=
WITH
    facts AS
    (
        SELECT client_id, client_stats_data.last_serial AS greatest, toUInt64(0) AS floor, toUInt64(0) AS missing, 0 AS ranges FROM client_stats_data
        UNION ALL
        SELECT client_id, client_claims.last_serial AS greatest, toUInt64(0) AS floor, toUInt64(0) AS missing, 0 AS ranges FROM client_claims
        UNION ALL
        SELECT client_id, toUInt64(0) AS greatest, client_floors.floor AS floor, toUInt64(0) AS missing, 0 AS ranges FROM client_floors
        UNION ALL
        SELECT client_id, toUInt64(0) AS greatest, toUInt64(0) AS floor, toUInt64(last_serial - first_serial + 1) AS missing, 1 AS ranges
        FROM missing_ranges FINAL WHERE closed = 0
    ),
    per_client AS
    (
        SELECT
            client_id,
            greatest(max(facts.floor), 1) AS low,
            max(facts.greatest) AS high,
            sum(facts.missing) AS lost,
            sum(facts.ranges) AS open,
            toUInt64(if(high >= low, high - low + 1, 0)) AS wanted
        FROM facts
        GROUP BY client_id
    ),
    fleet AS
    (
        SELECT
            count() AS all_clients,
            countIf(open = 0) AS whole,
            avg(if(wanted = 0 OR open = 0, 1., greatest(1 - lost / wanted, 0))) AS share,
            sum(toFloat64(wanted)) AS wanted_sum,
            sum(toFloat64(lost)) AS lost_sum,
            sum(open) AS open_sum
        FROM per_client
    )
SELECT
    if(all_clients = 0 OR open_sum = 0, 100., least(floor(100 * share, 2), 99.99)) AS percent,
    all_clients AS clients,
    whole AS complete_clients,
    if(all_clients = whole, 100., least(floor(100 * whole / greatest(all_clients, 1), 2), 99.99)) AS complete_percent,
    toUInt64(all_clients - whole) AS incomplete_clients,
    wanted_sum AS expected,
    lost_sum AS missing,
    toUInt64(open_sum) AS ranges,
    (SELECT toNullable(min(DetectedTime)) FROM SR_MissingMessageRanges HAVING count() > 0) AS oldest_missing,
    (SELECT uniqExact(client_id) FROM open_conflicts) AS conflicts,
    (SELECT count() FROM differing_clients FINAL WHERE differs = 1) AS differing,
    (SELECT toNullable(max(time)) FROM resync_checks HAVING count() > 0) AS last_check
FROM fleet
