/// How urgent a stream's data is to this side; the peer is not told.
///
/// A more urgent class is served first, but never takes all: while all have data, their shares of
/// the bytes are 16, 4 and 1. Within a class streams take turns packet by packet.
public enum StreamPriority: UInt8, Sendable, CaseIterable {
    /// People wait for each byte: remote shells, requests.
    case interactive
    /// Data with a rate of its own, such as video.
    case media
    /// Everything that takes what is left.
    case bulk

    /// What a byte costs its class; the class that has spent least is served.
    var cost: UInt64 {
        switch self {
        case .interactive: 1
        case .media: 4
        case .bulk: 16
        }
    }
}
