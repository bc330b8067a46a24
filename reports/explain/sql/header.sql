-- What one row per client tells; what is not known is zero, empty or 1970.
SELECT
    c.netbios_name AS netbios_name,
    c.client_version AS client_version,
    c.client_type AS client_type,
    c.first_report_time AS first_report,
    c.last_report_time AS last_report,
    s.seen AS seen,
    claim.serial AS claimed,
    claim.time AS claimed_time,
    cache.states AS cache_states,
    cache.unsent AS cache_unsent,
    cache.time AS cache_time,
    f.floor AS floor,
    f.completion_floor AS completion_floor,
    f.completion_time AS completion_time,
    f.baseline_floor AS baseline_floor,
    b.time AS baseline_time,
    d.client_states AS differs_client,
    d.site_states AS differs_site,
    d.detected_time AS differs_time,
    w.time AS wish_time,
    w.by AS wish_by,
    w.after AS wish_after,
    w.found AS wish_found,
    if(a.last_serial > greatest(s.seen, k.last_serial) + 1000000 AND a.time > b.time, a.last_serial, 0) AS aside_claim,
    a.time AS aside_time,
    r.time AS retired_time,
    r.by AS retired_by,
    r.reason AS retired_reason
FROM (SELECT toUUID({client:UUID}) AS client_id) AS one
LEFT JOIN
(
    SELECT client_id, netbios_name, client_version, client_type, first_report_time, last_report_time
    FROM clients WHERE client_id = {client:UUID}
) AS c ON c.client_id = one.client_id
LEFT JOIN
(
    SELECT client_id, max(client_stats_data.last_serial) AS seen
    FROM client_stats_data WHERE client_id = {client:UUID} GROUP BY client_id
) AS s ON s.client_id = one.client_id
LEFT JOIN
(
    SELECT client_id, max(client_claims.last_serial) AS serial, max(client_claims.claimed_time) AS time
    FROM client_claims WHERE client_id = {client:UUID} GROUP BY client_id
) AS claim ON claim.client_id = one.client_id
LEFT JOIN
(
    SELECT client_id, states, unsent, claimed_time AS time
    FROM client_caches FINAL WHERE client_id = {client:UUID} AND unsent < 4294967295 -- that many: it did not say
) AS cache ON cache.client_id = one.client_id
LEFT JOIN
(
    SELECT client_id, client_floors.floor AS floor, completion_floor, completion_time, baseline_floor
    FROM client_floors WHERE client_id = {client:UUID}
) AS f ON f.client_id = one.client_id
LEFT JOIN
(
    SELECT client_id, max(baselines.accepted_time) AS time FROM baselines WHERE client_id = {client:UUID}
        GROUP BY client_id
) AS b ON b.client_id = one.client_id
LEFT JOIN
(
    SELECT client_id, client_states, site_states, detected_time
    FROM differing_clients FINAL WHERE client_id = {client:UUID} AND differs = 1
) AS d ON d.client_id = one.client_id
LEFT JOIN
(
    SELECT client_id, requested_time AS time, requested_by AS by, after_number AS after, 1 AS found
    FROM resync_requests FINAL WHERE client_id = {client:UUID}
) AS w ON w.client_id = one.client_id
LEFT JOIN
(
    SELECT client_id, last_serial, claimed_time AS time FROM claims_aside FINAL WHERE client_id = {client:UUID}
) AS a ON a.client_id = one.client_id
LEFT JOIN
(
    SELECT client_id, max(accepted_claims.last_serial) AS last_serial FROM accepted_claims
        WHERE client_id = {client:UUID} GROUP BY client_id
) AS k ON k.client_id = one.client_id
LEFT JOIN
(
    SELECT client_id, retired_time AS time, retired_by AS by, reason FROM retired_clients WHERE client_id = {client:UUID}
) AS r ON r.client_id = one.client_id
