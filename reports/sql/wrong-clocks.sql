-- title: Clients whose clock is wrong
-- group: Clients
-- columns: netbios_name!, last_received!, messages, named_time, last_report, client_id
-- empty: no message has a time that cannot be right
-- description: Clients with messages whose time can't be right: before 2000, or more than a day after they came. They
--   are stored and count like any other: the order of messages is that of their serials, never that of a clock. Only
--   the times shown are wrong.
-- param hours UInt32 = 720 in 0..87600: Messages that came in these hours; 0 takes all that are stored
-- order: last_received DateTime64(6,'UTC') desc, client_id UUID
-- note messages: whose time can't be right
-- note last_received: when the latest of them came
-- note named_time: the time that one names; 2000-01-01 stands for any time before, 2100-01-01 for any after
-- link netbios_name: /clients/{client_id}
-- link client_id: messages?client={client_id}
-- with: named
WITH
    wrong AS
    (
        SELECT client_id, uniqExact(serial, payload_hash) AS messages,
            max(state_messages.received_time) AS last_received,
               argMax(message_time, (state_messages.received_time, serial)) AS named_time
        FROM state_messages
        WHERE bitTest(flags, 0) = 1 AND client_id NOT IN (SELECT client_id FROM retired_clients)
            AND ({hours:UInt32} = 0 OR state_messages.received_time > now64(6, 'UTC') - toIntervalHour({hours:UInt32}))
        GROUP BY client_id
    ),
    page AS
    (
        SELECT client_id, messages, last_received, named_time
        FROM wrong
        WHERE {after:UInt8} = 0 OR last_received < {after_last_received:DateTime64(6,'UTC')}
              OR last_received = {after_last_received:DateTime64(6,'UTC')} AND client_id > {after_client_id:UUID}
        ORDER BY last_received DESC, client_id
        LIMIT {page_rows:UInt64}
    ),
    (SELECT groupArray(client_id) FROM page) AS page_ids
SELECT
    c.netbios_name AS netbios_name,
    page.messages AS messages,
    page.last_received AS last_received,
    page.named_time AS named_time,
    c.last_report_time AS last_report,
    page.client_id AS client_id
FROM page
LEFT JOIN (SELECT client_id, netbios_name, toNullable(named.last_report_time) AS last_report_time FROM named) AS c
    ON c.client_id = page.client_id
ORDER BY last_received DESC, client_id
