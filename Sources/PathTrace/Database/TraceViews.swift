extension TraceFormat {
    /// Views for common queries; times are in seconds of the session.
    static let views = """
        CREATE VIEW session_times AS
            SELECT s.id AS session, s.role, s.policy, s.started_ns,
                max(coalesce(s.ended_ns, s.started_ns),
                    coalesce((SELECT b.last_ns FROM decision_blocks b
                        WHERE b.id BETWEEN (s.id << 40) AND (s.id << 40) + 1099511627775
                        ORDER BY b.id DESC LIMIT 1), s.started_ns)) AS last_ns
            FROM sessions s;
        CREATE VIEW path_names AS
            SELECT session, path, name FROM paths
            GROUP BY session, path HAVING added_ns = max(added_ns);
        CREATE VIEW decisions AS
            SELECT b.block + json_extract(r.value, '$[0]') AS id, b.block >> 40 AS session,
                (b.block & 1099511627775) + json_extract(r.value, '$[0]') AS number,
                b.first_ns + json_extract(r.value, '$[1]') AS time_ns,
                CASE json_extract(r.value, '$[2]') WHEN 0 THEN 'stream' ELSE 'message' END
                    AS class,
                json_extract(r.value, '$[3]') AS planned_bytes,
                json_extract(r.value, '$[4]') AS deadline_ns,
                json_extract(r.value, '$[5]') AS current_path,
                json_extract(r.value, '$[6]') AS action, json_extract(r.value, '$[7]') AS path,
                json_extract(r.value, '$[8]') / 1e9 AS propensity,
                json_extract(r.value, '$[9]') AS forced,
                json_extract(r.value, '$[10]') / 1e9 AS predicted_s,
                json_extract(r.value, '$[11]') AS candidate_paths,
                b.block AS block, r.key AS position
            FROM decision_rows b, json_each(b.rows) r;
        CREATE VIEW outcomes AS
            SELECT d.block + json_extract(d.rows, '$[' || r.key || '][0]') AS decision,
                d.block >> 40 AS session, json_extract(r.value, '$[0]') / 1e9 AS delivery_s,
                json_extract(r.value, '$[1]') AS late,
                json_extract(r.value, '$[2]') / 1e9 AS deadline_s,
                json_extract(r.value, '$[3]') AS packets, json_extract(r.value, '$[4]') AS lost,
                d.first_ns + json_extract(r.value, '$[5]') AS closed_ns,
                json_extract(r.value, '$[6]') AS bytes_by_path
            FROM outcome_blocks o JOIN decision_rows d ON d.block = o.block,
                json_each(o.rows) r WHERE r.type = 'array';
        CREATE VIEW decision_outcomes AS
            SELECT d.session, d.number, (d.time_ns - s.started_ns) * 1e-9 AS time_s, d.class,
                d.planned_bytes,
                (SELECT sum(value) FROM json_each(json_extract(d.outcome, '$[6]'))) AS bytes,
                d.deadline_ns / 1e9 AS deadline_s, d.path, n.name AS path_name,
                d.action, d.propensity, d.forced, d.predicted_s,
                json_extract(d.outcome, '$[0]') / 1e9 AS delivery_s,
                json_extract(d.outcome, '$[1]') AS late,
                CASE WHEN json_extract(d.outcome, '$[1]') IS NULL THEN NULL ELSE
                    min(coalesce(json_extract(d.outcome, '$[0]'),
                            json_extract(d.outcome, '$[2]')),
                        json_extract(d.outcome, '$[2]')) / 1e9 END AS time_to_close_s,
                json_extract(d.outcome, '$[3]') AS packets,
                json_extract(d.outcome, '$[4]') AS lost,
                (d.first_ns + json_extract(d.outcome, '$[5]') - s.started_ns) * 1e-9 AS closed_s,
                json_extract(d.outcome, '$[6]') AS bytes_by_path
            FROM (SELECT e.*, b.first_ns,
                    json_extract(o.rows, '$[' || e.position || ']') AS outcome
                FROM decisions e JOIN decision_rows b ON b.block = e.block
                    LEFT JOIN outcome_blocks o ON o.block = e.block) d
                JOIN sessions s ON s.id = d.session
                LEFT JOIN path_names n ON n.session = d.session AND n.path = d.path;
        CREATE VIEW path_bytes AS
            SELECT d.session, d.number, d.time_s, d.class, CAST(b.key AS INTEGER) AS path,
                n.name AS path_name, b.value AS bytes
            FROM decision_outcomes d JOIN json_each(d.bytes_by_path) b
                LEFT JOIN path_names n
                    ON n.session = d.session AND n.path = CAST(b.key AS INTEGER);
        CREATE VIEW path_shares AS
            SELECT session, second, path, path_name, sum(decisions) AS decisions,
                sum(bytes) AS bytes,
                sum(bytes) * 1.0 / sum(sum(bytes)) OVER (PARTITION BY session, second) AS share
            FROM (SELECT session, CAST(time_s AS INTEGER) AS second, path, path_name,
                        1 AS decisions, NULL AS bytes
                    FROM decision_outcomes WHERE path IS NOT NULL
                UNION ALL SELECT session, CAST(time_s AS INTEGER), path, path_name, 0, bytes
                    FROM path_bytes)
            GROUP BY session, second, path;
        CREATE VIEW late_shares AS
            SELECT session, class, path, path_name, count(*) AS decisions,
                count(late) AS closed, sum(late) AS late, avg(late) AS late_share
            FROM decision_outcomes GROUP BY session, class, path;
        CREATE VIEW path_summaries AS
            SELECT session, path, path_name, sum(decisions) AS decisions, sum(bytes) AS bytes,
                avg(delivery_s) AS mean_delivery_s, avg(predicted_s) AS mean_predicted_s,
                avg(late) AS late_share, sum(packets) AS packets, sum(lost) AS lost
            FROM (SELECT session, path, path_name, 1 AS decisions, NULL AS bytes, delivery_s,
                        predicted_s, late, packets, lost
                    FROM decision_outcomes WHERE path IS NOT NULL
                UNION ALL SELECT session, path, path_name, 0, bytes, NULL, NULL, NULL, NULL, NULL
                    FROM path_bytes)
            GROUP BY session, path;
        CREATE VIEW delivery_percentiles AS
            SELECT session, class, count(*) AS closed,
                max(CASE WHEN rank <= 0.50 THEN time_to_close_s END) AS p50_s,
                max(CASE WHEN rank <= 0.95 THEN time_to_close_s END) AS p95_s,
                max(CASE WHEN rank <= 0.99 THEN time_to_close_s END) AS p99_s
            FROM (SELECT session, class, time_to_close_s, percent_rank() OVER
                    (PARTITION BY session, class ORDER BY time_to_close_s) AS rank
                FROM decision_outcomes WHERE late IS NOT NULL)
            GROUP BY session, class;
        CREATE VIEW timeline AS
            SELECT e.session, (e.time_ns - s.started_ns) * 1e-9 AS time_s, e.kind, e.path,
                n.name AS path_name, e.text, e.value
            FROM events e JOIN sessions s ON s.id = e.session
                LEFT JOIN path_names n ON n.session = e.session AND n.path = e.path
            ORDER BY e.session, e.time_ns;
        CREATE VIEW rtt_samples AS
            SELECT p.session, (p.time_ns - s.started_ns) * 1e-9 AS time_s, p.path,
                n.name AS path_name, p.state, p.smoothed_rtt_ns * 1e-9 AS smoothed_rtt_s,
                p.latest_rtt_ns * 1e-9 AS latest_rtt_s, p.bytes_in_flight, p.congestion_window,
                p.delivery_rate
            FROM path_samples p JOIN sessions s ON s.id = p.session
                LEFT JOIN path_names n ON n.session = p.session AND n.path = p.path;
        """
}
