/// Every fault that a link can have, a line each, in the order in which packets meet them.
typealias LinkFaults = Outages
    .Then<BurstLoss>
    .Then<RandomLoss>
    .Then<DelayJitter>
    .Then<Duplication>
    .Then<Corruption>
