/// One thing to send.
public struct OutgoingItem: Sendable {
    /// The kind of the item.
    public enum Kind: String, Sendable {
        case file, pipe, link
        case directory = "folder"
    }

    public var kind: Kind
    /// The path sent to the receiver.
    public var name: ItemName
    /// Bytes; nil if not known in advance.
    ///
    /// The file is sent with the size that it has when it is opened.
    public var size: UInt64?
    /// Its path; `-` is standard input.
    var source: [UInt8]
    /// Whether the user named it, so that a link is followed.
    var isArgument: Bool
    /// Whether other items are sent too, or it is in a folder that is sent.
    var isOneOfSeveral: Bool
    var mode: UInt16
    var modified: FileTime
    /// Where a link points to.
    var target: [UInt8] = []
    /// Its folder, if that is sent too.
    var parent: OutgoingFolder?
}

/// A folder to send, after all its contents, so that its time and permissions are not changed
/// afterwards.
///
/// Only its feed uses it, under the feed's lock.
final class OutgoingFolder: @unchecked Sendable {
    let item: OutgoingItem
    /// Items in it that have not ended, plus one while it is being listed.
    var pending = 1

    init(_ item: OutgoingItem) { self.item = item }
}
