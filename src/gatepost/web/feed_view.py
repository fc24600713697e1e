"""What this process can tell a reader of the log at one moment. Pure, given a page of it and the knowledge beside."""

from dataclasses import dataclass

from gatepost.checking.chronicle import Page
from gatepost.checking.feed import FeedPosition
from gatepost.checking.follower import Knowledge
from gatepost.core.revocation import Logged
from gatepost.core.verifiers import NOTHING


@dataclass(frozen=True, slots=True)
class View:
    """What this process knows at one moment: a page of the log, and knowledge that is as new or newer."""

    page: Page
    knowledge: Knowledge

    def since(self, after: FeedPosition | None) -> tuple[Logged, ...] | None:
        """The facts after a place; None where everything has to be told."""
        return None if after is None else self.page.since(after.position)

    def has_news(self, after: FeedPosition | None) -> bool:
        """Whether there is anything to tell a reader at this place."""
        return after is None or after.ring != self.page.ring or self.since(after) != ()

    def lacks(self, after: FeedPosition | None) -> bool:
        """Whether a place of this very log lies ahead of the page: a neighbour may have told what comes here soon."""
        here = self.page.position
        return after is not None and after.position.log == here.log and after.position.seq > here.seq

    def heard_by(self, after: FeedPosition | None) -> int:
        """Up to which fact a reader at this place has heard; of one that begins anew, `NOTHING`."""
        return NOTHING if after is None or self.since(after) is None else after.position.seq
