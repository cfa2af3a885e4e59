internal import PathNetwork
package import PathTransport
internal import Pathwise

extension ConnectionConfiguration {
    /// Sets the limits of a session that carries forwards, on either side.
    ///
    /// A flow whose reader is stuck holds its stream's window of the 128 MB that all streams share. That
    /// window is 256 kB, unless the flow was fast before, and 64 kB once half of what is shared lies
    /// unread: some 1,200 readers may stop, and the others go on. The windows of fast streams grow up to
    /// 16 MB, but those of all to half of what is shared.
    package mutating func prepareForForwards() {
        parameters.maximumStreams = max(parameters.maximumStreams, 8192)
        parameters.maximumStreamData = 64 << 10
        parameters.maximumData = 128 << 20
    }
}
