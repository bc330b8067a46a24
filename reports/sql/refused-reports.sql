-- title: Reports that the relay refused
-- group: Clients
-- columns: netbios_name!, code!, refused_time, detail, taken_time, line, column, refusals, retry, verified,
--   address, client_id
-- empty: the relay refused no report
-- description: The last report of each client that the relay refused, as the client was told: too large, no XML,
--   another client's, and so on. Nothing of such a report is stored. The relay keeps relay.refusals_kept of them; the
--   oldest give way.
-- param client String = '': Client id (with or without GUID:) or computer name; empty takes all
-- param only String = 'open' in open, all: Only clients of which no report was taken since, or all
-- order: refused_time DateTime64(6,'UTC') desc, _slot UInt32
-- note netbios_name: as stored reports say; else as the refused one said
-- note line: of the report as it was sent; 0 where the code has no place
-- note retry: true = the client was told to send the same bytes again later; false = to put them aside
-- note refusals: reports of it that were refused since one was taken
-- note taken_time: when a report of it was taken after this one; empty = none was
-- note verified: true = a certificate proved the client; false = the report named it, and anybody could have sent it
-- note address: who sent it; of IPv6 its network
-- link netbios_name: /clients/{client_id}
-- with: wanted
WITH
    last AS
    (
        SELECT *
        FROM refused_reports FINAL
        WHERE {client:String} = '' OR client_id IN (SELECT arrayJoin(wanted_ids))
            OR lower(netbios_name) = lower({client:String})
        ORDER BY refused_time DESC, slot
        LIMIT 1 BY client_id, verified
    )
SELECT
    if(c.netbios_name != '', c.netbios_name, last.netbios_name) AS netbios_name,
    last.refused_time AS refused_time,
    last.code AS code,
    last.line AS line,
    last.column AS column,
    last.detail AS detail,
    last.retry AS retry,
    last.refusals AS refusals,
    last.taken_time AS taken_time,
    last.verified AS verified,
    last.address AS address,
    last.client_id AS client_id,
    last.slot AS _slot
FROM last
LEFT JOIN (SELECT client_id, netbios_name FROM clients WHERE client_id IN (SELECT client_id FROM last)) AS c
    ON c.client_id = last.client_id
WHERE {only:String} = 'all' OR last.taken_time IS NULL
