/// An error of the peer or of the application with a stream or a message.
public enum StreamError: Error, Hashable, Sendable {
    /// The peer exceeded the advertised limit; RFC 9000, section 4.1.
    case flowControl(offset: UInt64, limit: UInt64)
    /// The peer changed the final size, or sent past it; RFC 9000, section 4.5.
    case finalSize(offset: UInt64, finalSize: UInt64)
    /// There are more separate pieces than can be kept; the packet must not be acknowledged.
    case tooManyRanges(limit: Int)
    /// There are more streams than the accepting side allows; RFC 9000, section 4.6.
    case streamLimit(index: UInt64, limit: UInt64)
    /// A frame or call that this stream's direction or state forbids; RFC 9000, section 3.
    case streamState(StreamID)
    /// The application named a stream that is not open, or no longer open.
    case unknownStream(StreamID)
    /// The message is larger than allowed.
    case messageSize(bytes: Int, limit: Int)
    /// The queue of messages is full; it takes more when some are acknowledged or expire.
    case messageQueueFull(messages: Int, bytes: Int)
    /// A fragment that does not fit its message, or contradicts an earlier fragment.
    case malformedMessage(number: UInt64)
}

extension StreamError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .flowControl(let offset, let limit):
            "The peer sent stream data up to offset \(offset), past the limit \(limit) that was "
                + "advertised: it breaks flow control, and the connection has to be closed."
        case .finalSize(let offset, let finalSize):
            "The peer gave \(offset) as an end of a stream whose final size is \(finalSize): a "
                + "final size cannot change, and the connection has to be closed."
        case .tooManyRanges(let limit):
            "Received data came in more than \(limit) separate pieces: the packet was dropped; "
                + "the peer has to send what is missing in between first."
        case .streamLimit(let index, let limit):
            "Stream \(index) of its kind was to be opened, past the limit of \(limit): wait "
                + "until other streams end, or raise the limit on the accepting side."
        case .streamState(let id):
            "Stream \(id.rawValue) was used in a direction or state that does not allow it: "
                + "check who opened it, and whether it was finished or reset before."
        case .unknownStream(let id):
            "Stream \(id.rawValue) is not open: it has ended, or was never opened here."
        case .messageSize(let bytes, let limit):
            "A message of \(bytes) bytes was to be sent or received, and \(limit) is the most: "
                + "use a stream, or split it."
        case .messageQueueFull(let messages, let bytes):
            "The message queue is full with \(messages) messages and \(bytes) bytes: send "
                + "slower, or give messages a shorter deadline."
        case .malformedMessage(let number):
            "A fragment of message \(number) lies outside the message or contradicts an earlier "
                + "one: the peer is broken, and the connection has to be closed."
        }
    }
}
