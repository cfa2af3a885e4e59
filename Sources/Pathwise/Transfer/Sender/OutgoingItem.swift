/// One thing to send.
public struct OutgoingItem: Sendable {
    /// What it is.
    public enum Kind: String, Sendable {
        case file, pipe, link
        case directory = "folder"
    }

    public var kind: Kind
    /// The path told to the receiver.
    public var name: ItemName
    /// Bytes; nil when it is not known before.
    ///
    /// What is sent is what the file has when it is opened.
    public var size: UInt64?
    /// Where it is; `-` is standard input.
    var source: [UInt8]
    /// The user named it, so a link in its place is followed.
    var isArgument: Bool
    /// Other items are sent too, or it lies in a folder that is.
    var isOneOfSeveral: Bool
    var mode: UInt16
    var modified: FileTime
    /// Where a link points to.
    var target: [UInt8] = []
    /// The folder that it lies in, if that is sent too.
    var parent: OutgoingFolder?
}

/// A folder that is being sent: after all that is in it, so that its time and permissions last.
///
/// Belongs to its feed, which holds its lock when it looks at it.
final class OutgoingFolder: @unchecked Sendable {
    let item: OutgoingItem
    /// What has not been sent of it, and one for as long as it is being listed.
    var pending = 1

    init(_ item: OutgoingItem) { self.item = item }
}
