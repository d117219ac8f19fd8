import re
from html import unescape

from web.conftest import S

LINK = re.compile(r'href="(/s/\d+)"')


def save(client, name="Errors", address="q=%7Bservice_name%3D%22app%22%7D&from=now-1h", **given):
    return client.post("/saved/new", data={"name": name, "address": address, **given}, follow_redirects=False)


def test_where_nothing_is_saved_there_are_searches_to_begin_with(room, ask) -> None:
    room.house.store((-S, "it failed"), level="error")
    room.house.store((-S, "Connection refused"), level="info")
    client = ask()
    page = client.get("/saved").text
    starters = [unescape(one) for one in re.findall(r'<li><a href="(/\?[^"]+)"><strong>', page)]
    assert len(starters) == 3
    found = [client.get(one).text for one in starters]
    assert ["it failed" in text for text in found] == [True, True, False]
    assert ["Connection" in text for text in found] == [False, True, True]
    assert starters[0] in unescape(client.get("/saved/menu").text)


def test_a_search_is_saved_opened_and_listed(room, ask) -> None:
    room.house.store((-S, "one"), (-2 * S, "two"))
    client = ask("ann")
    form = client.get("/saved/new?q=%7Bservice_name%3D%22app%22%7D&from=now-1h&cols=host").text
    assert (
        '<input type="hidden" name="address" value="q=%7Bservice_name%3D%22app%22%7D&amp;from=now-1h&amp;cols=host">'
        in form
    )
    answer = save(client, about="what <b>fails</b>\r\nat night")
    assert answer.status_code == 303
    opened = client.get(answer.headers["location"])
    assert opened.url.params["q"] == '{service_name="app"}'
    assert opened.url.params["saved"].startswith("1-")
    assert 'href="/saved/1"><bdi>Errors</bdi></a></span>' in opened.text  # and no mark that something changed
    page = client.get("/saved").text
    assert LINK.findall(page) == ["/s/1"]
    assert "what &lt;b&gt;fails&lt;/b&gt;\nat night" in page
    assert "<bdi>ann</bdi>" in page
    assert LINK.findall(client.get("/saved/menu").text) == ["/s/1"]
    assert "No saved search has" in client.get("/saved?text=zebra").text


def test_a_page_that_shows_something_else_than_was_saved_says_so_and_saves_the_next_version(room, ask) -> None:
    client = ask("ann")
    save(client)
    url = client.get("/s/1").url
    changed = url.copy_set_param("from", "now-6h")
    page = client.get(changed).text
    assert '<span class="badge warn">not saved</span>' in page
    form = client.get("/saved/new?" + changed.query.decode()).text
    assert "Save version 2" in form
    given = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form.partition("</form>")[0]))
    answer = client.post("/saved/1", data={name: unescape(value) for name, value in given.items()})
    assert "from=now-6h" in str(answer.url)
    assert "not saved" not in answer.text
    page = client.get("/saved/1").text
    assert "Bring back version 1" in unescape(page)
    old = client.post(
        "/saved/1", data={"name": "Errors", "address": "q=%7Bservice_name%3D%22app%22%7D&from=now-1h", "version": "2"}
    )
    assert old.status_code == 200
    assert room.saved.get(1).version == 3


def test_only_the_owner_and_operators_change_a_search(room, ask) -> None:
    ann, bob, operator = ask("ann"), ask("bob"), ask()
    save(ann)
    assert "belongs to ann" in bob.get("/saved/1").text
    change = {"name": "mine", "address": "", "version": "1"}
    assert bob.post("/saved/1", data=change).status_code == 403
    assert bob.post("/saved/1/delete").status_code == 403
    assert room.saved.get(1).content.name == "Errors"
    assert operator.post("/saved/1", data=change).status_code == 200
    assert room.saved.get(1).content.name == "mine"
    assert ann.post("/saved/1/delete", follow_redirects=False).headers["location"] == "/saved"
    assert (
        ann.get("/s/1").status_code == ann.get("/saved/1").status_code == ann.post("/saved/1/delete").status_code == 404
    )


def test_what_is_not_taken_is_said_beside_what_was_typed(room, ask) -> None:
    client = ask("ann")
    answer = save(client, name=" ", about="kept")
    assert answer.status_code == 400
    assert "needs a name" in answer.text
    assert ">kept</textarea>" in answer.text
    save(client)
    room.saved.change(1, room.saved.get(1).content, "bob", version=1)
    late = client.post("/saved/1", data={"name": "typed", "about": "", "address": "", "version": "1"})
    assert late.status_code == 409
    assert "somebody changed this search meanwhile" in late.text
    assert 'value="typed"' in late.text
    assert save(client, address="cur=nonsense").status_code == 400
    assert client.get("/saved/999999999999999999999").status_code == 404
    assert client.get("/s/x").status_code == 404


def test_a_shared_address_keeps_range_and_line_and_can_be_short(room, ask) -> None:
    room.house.store((-S, "one"))
    client = ask("ann")
    page = client.get("/explore/share?q=%7Bservice_name%3D%22app%22%7D&from=now-1h&sel=17-4").text
    long = unescape(re.search(r'id="share-long"[^>]* value="([^"]+)"', page)[1])
    assert long.endswith("&from=2025-12-31T23%3A00%3A00Z&to=2026-01-01T00%3A00%3A00Z&sel=17-4")
    assert client.get(long).status_code == 200
    address = unescape(re.search(r'name="address" value="([^"]+)"', page)[1])
    shared = client.post("/saved/link", data={"address": address})
    short = unescape(re.search(r'id="share-short"[^>]* value="([^"]+)"', shared.text)[1])
    assert re.fullmatch(room.address + r"/s/[0-9a-f]{16}", short)
    assert str(client.get(short).url) == long
    assert client.get("/s/" + "0" * 16).status_code == 404


def test_without_a_control_database_the_page_offers_what_it_can(house) -> None:
    house.store((-S, "one"))
    page = house.client.get("/").text
    assert 'href="/explore/share?' in page
    assert "/saved" not in page
    assert "Make it short" not in house.client.get("/explore/share").text


def test_names_and_addresses_cannot_smuggle_anything_in(room, ask) -> None:
    client = ask("ann")
    save(client, name='"><script>alert(1)</script>', address="q=%22%3E%3Cimg+src%3Dx%3E&next=%2F%2Fevil.example")
    for path in ("/saved", "/saved/1", "/saved/menu", "/s/1", "/explore/share?q=%3Cscript%3E"):
        answer = client.get(path)
        assert "<script>alert" not in answer.text
        assert "<img src=x" not in answer.text
    assert client.get("/s/1", follow_redirects=False).headers["location"].startswith("/?q=")
