-- +goose NO TRANSACTION
-- +goose Up
-- How clients stand on every topic id: for each state the number of clients and the times of their oldest and newest
-- message; of deployments (301) also the codes they gave most. One row holds them all: a state that empties cannot linger.
CREATE TABLE IF NOT EXISTS subject_now
(
    topic_type UInt32,
    topic_id   String,
    states     Array(UInt32),
    clients    Array(UInt64),
    oldest     Array(DateTime64(3, 'UTC')),
    newest     Array(DateTime64(3, 'UTC')),
    codes      Array(Array(String)),
    version    UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (topic_type, topic_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
