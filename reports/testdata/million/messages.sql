-- Message number {n} of every client: 100 in 400 days, the last 20 of them on 20 topics. A client needs 12 of 60
-- updates.
INSERT INTO state_messages (client_id, serial, received_time, message_us, topic_type, topic_id, topic_id_type, state_id,
    params, source_file, payload_hash, loaded_time)
SELECT
    reinterpret(sipHash128(number), 'UUID'),
    {n:UInt64} + 1,
    fromUnixTimestamp64Micro({epoch:Int64} + toInt64({n:UInt64} * 345600000000 + sipHash64(number,
        {n:UInt64}) % 345600000000), 'UTC'),
    {epoch:Int64} + toInt64({n:UInt64} * 345600000000 + sipHash64(number, {n:UInt64}) % 345600000000) - 5000000,
    multiIf(slot < 12, 500, slot < 15, 300, slot < 18, 301, slot = 18, 501, 9100),
    multiIf(slot < 12, concat('ScopeId_8A4D7C11/Update_', toString((number + slot * 5) % 60)),
            slot < 18, concat('{DEPLOY', toString((slot - 12) % 3), '-7D1C-4B5A-8F21}'),
            slot = 18, '{SOURCE-1}', 'custom'),
    3,
    multiIf(slot < 12, 1 + chance % 3, slot < 15, 1 + chance % 3, slot < 18,
        multiIf(chance % 100 < 80, 4, chance % 100 < 90, 8, 6),
            slot = 18, multiIf(chance % 100 < 95, 3, 5), chance % 4),
    if(slot BETWEEN 15 AND 17 AND chance % 100 >= 90, [concat('0x8024', leftPad(upper(hex(chance % 40)), 4, '0'))], []),
    'million.SMX',
    sipHash64(number, {n:UInt64}, 1),
    fromUnixTimestamp64Milli(intDiv({epoch:Int64} + toInt64({n:UInt64} * 345600000000 + sipHash64(number,
        {n:UInt64}) % 345600000000), 1000), 'UTC')
FROM (SELECT number, {n:UInt64} % 20 AS slot, sipHash64(number, {n:UInt64}, 2) AS chance
    FROM numbers({from:UInt64}, {clients:UInt64}))
