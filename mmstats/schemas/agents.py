"""What user agents are: browser and system as ua-parser names their families, the kind of device by a table of ours."""

from collections.abc import Callable, Mapping
from functools import lru_cache

from ua_parser import Result, parse

_MOST_PARSED = 1 << 16

# A change of these tables is a new version of AGENT_TABLE, which what is kept of answers knows.
# Command-line clients, libraries and browsers without a screen that the library names and takes for no crawler.
_CLIENTS = frozenset(
    {
        *("aiohttp", "Apache-HttpClient", "axios", "curl", "Go-http-client", "HeadlessChrome", "HTTPie", "Java"),
        *("libcurl-agent", "okhttp", "PhantomJS", "PostmanRuntime", "PycURL", "Python Requests", "Python-urllib"),
        *("python-requests", "Wget", "WindowsPowerShell"),
    }
)
_TEXT_BROWSERS = frozenset({"ELinks", "Links", "Lynx", "w3m"})
_PHONES = frozenset(
    {
        *("BlackBerry OS", "Brew MP", "Firefox OS", "iOS", "KaiOS", "Nokia Series 30 Plus", "Nokia Series 40"),
        *("Symbian OS", "Symbian^3", "Symbian^3 Anna", "Symbian^3 Belle", "Windows Mobile", "Windows Phone"),
    }
)
_TABLETS = ("iPad", "Kindle", "PlayBook", "BlackBerry Playbook")
_COMPUTERS = frozenset(
    {
        *("Chrome OS", "CentOS", "Debian", "Fedora", "FreeBSD", "Gentoo", "Kubuntu", "Linux", "Mac OS", "Mac OS X"),
        *("Mandriva", "Mint", "NetBSD", "OpenBSD", "Red Hat", "Slackware", "Solaris", "SUSE", "Ubuntu", "Windows"),
    }
)


@lru_cache(_MOST_PARSED)
def _parsed(agent: str) -> Result:
    return parse(agent)


def browser(agent: str) -> str | None:
    """The family of a browser or another client; None for one that the library does not know."""
    found = _parsed(agent).user_agent
    return found.family if found else None


def system(agent: str) -> str | None:
    """The family of an operating system; None for one that the library does not know."""
    found = _parsed(agent).os
    return found.family if found else None


def device_type(agent: str) -> str | None:
    """`desktop`, `mobile`, `tablet`, `bot` or `other`; None for an agent of which the library knows nothing."""
    found = _parsed(agent)
    if not (found.user_agent or found.os or found.device):
        return None
    family, device = (one.family if one else "" for one in (found.user_agent, found.device))
    if device == "Spider" or family in _CLIENTS:
        return "bot"
    if family in _TEXT_BROWSERS:
        return "desktop"
    if not (found.os or found.device or agent.startswith(("Mozilla/", "Opera/"))):
        return "bot"  # a name alone, which no browser has
    return _kind(found.os.family if found.os else "", device, agent)


def _kind(os: str, device: str, agent: str) -> str:
    """The kind of a device that a person holds or sits at."""
    if device.startswith(_TABLETS) or (os == "Android" and "Mobile" not in agent):
        return "tablet"
    if os == "Android" or os in _PHONES:
        return "mobile"
    return "desktop" if os in _COMPUTERS and "TV" not in device else "other"


FACTS: Mapping[str, Callable[[str], str | None]] = {"browser": browser, "os": system, "device_type": device_type}
