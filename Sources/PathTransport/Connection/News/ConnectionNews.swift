/// What a connection reports: events for the application, records for the recorder, and counters.
struct ConnectionNews {
    var events = EventQueue()
    var journal: Journal
    var statistics = ConnectionStatistics()
}
