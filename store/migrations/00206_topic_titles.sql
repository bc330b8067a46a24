-- +goose NO TRANSACTION
-- +goose Up
-- What people call a topic id, and what else is known of it, by source: file (a person), pack, agent. topic_type 0 is for
-- every type. A row may lack a title: a person's row may say its target alone. The greatest version counts.
CREATE TABLE IF NOT EXISTS topic_titles
(
    topic_id      String,
    topic_type    UInt32,
    source        LowCardinality(String),
    title         String,
    kind          LowCardinality(String),
    article       String,
    severity      LowCardinality(String),
    released      Nullable(Date),
    url           String,
    grp           String,
    target        String,
    superseded_by String,
    changed_time  DateTime64(6, 'UTC'),
    deleted       UInt8,
    version       UInt64,
    loaded_time   DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (topic_id, topic_type, source)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
