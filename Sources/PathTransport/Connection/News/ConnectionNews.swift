/// What a connection tells: events for the application, records for the recorder, and counts.
struct ConnectionNews {
    var events = EventQueue()
    var journal: Journal
    var statistics = ConnectionStatistics()
}
