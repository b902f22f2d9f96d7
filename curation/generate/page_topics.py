"""What generated pages are about: one record for each kind of business or site."""

# ruff: noqa: E501 - one record a topic reads best unwrapped

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Topic:
    """A kind of site: what it calls itself, what it shows, whom it serves.

    `items` are things with a name and a price; `services` are headings; `missions` end the sentence "we …";
    `picture` is a search word for photographs.
    """

    kind: str
    picture: str
    people: str
    experts: str
    items: tuple[str, ...]
    services: tuple[str, ...]
    missions: tuple[str, ...]
    prices: tuple[int, int] = (10, 200)


def _topic(kind: str, picture: str, people: str, experts: str, items: str, services: str, missions: str,
           prices: tuple[int, int] = (10, 200)) -> Topic:  # fmt: skip
    """A topic from lists written with commas."""
    lists = [tuple(part.strip() for part in text.split(",")) for text in (items, services, missions)]
    return Topic(kind, picture, people, experts, lists[0], lists[1], lists[2], prices)


TOPICS: Final = (
    _topic("Bakery", "bakery", "customers", "bakers",
           "Sourdough Loaf, Almond Croissant, Cinnamon Roll, Rye Bread, Blueberry Muffin, Apple Tart, Olive Focaccia, Lemon Cake, Chocolate Babka, Seeded Bagel",
           "Fresh Bread, Pastries, Custom Cakes, Catering, Coffee, Baking Classes",
           "bake everything from scratch every morning, use flour from mills nearby, believe that good bread takes time", (2, 38)),
    _topic("Restaurant", "restaurant", "guests", "chefs",
           "Grilled Salmon, Mushroom Risotto, Beef Tartare, Roasted Cauliflower, Lobster Bisque, Duck Breast, Lamb Shoulder, Caesar Salad, Tiramisu, Lemon Sorbet, Pumpkin Soup, Gnocchi",
           "Lunch, Dinner, Private Events, Wine List, Catering, Reservations",
           "cook with seasonal ingredients, serve dishes that tell a story, make every meal a memorable experience", (6, 42)),
    _topic("Coffee Shop", "coffee", "guests", "baristas",
           "Espresso, Flat White, Cold Brew, Cappuccino, Matcha Latte, Chai, Banana Bread, Avocado Toast, Filter Coffee, Hot Chocolate",
           "Coffee, Breakfast, Beans to Go, Workshops, Events, Gift Cards",
           "roast our own beans in small batches, know our farmers by name, make the best cup in town", (2, 14)),
    _topic("Dental Clinic", "dentist", "patients", "dentists",
           "Check-up, Teeth Whitening, Root Canal, Dental Implant, Braces, Crown, Emergency Visit, Cleaning",
           "Preventive Care, Cosmetic Dentistry, Orthodontics, Implants, Pediatric Care, Emergencies",
           "help our patients to keep a healthy smile, use gentle and modern methods, take time to explain every step", (40, 900)),
    _topic("Healthcare Provider", "hospital", "patients", "doctors",
           "General Check-up, Blood Test, Vaccination, Cardiology Consultation, Physiotherapy, Nutrition Plan, Eye Exam, Skin Screening",
           "Primary Care, Cardiology, Pediatrics, Physiotherapy, Mental Health, Laboratory",
           "provide compassionate care for every patient, work together across all specialties, put health and well-being first", (30, 400)),
    _topic("Law Firm", "law", "clients", "attorneys",
           "Initial Consultation, Contract Review, Company Formation, Will and Testament, Mediation, Trademark Filing, Court Representation",
           "Family Law, Corporate Law, Real Estate, Immigration, Intellectual Property, Criminal Defense",
           "protect the rights of our clients, explain the law in plain words, fight for a fair result", (90, 2400)),
    _topic("Consulting Firm", "office", "clients", "consultants",
           "Strategy Workshop, Market Study, Process Audit, Risk Review, Leadership Coaching, Digital Roadmap",
           "Strategic Planning, Business Development, Financial Analysis, Change Management, Operations, Training",
           "help businesses to grow with confidence, make informed decisions possible, turn complex problems into clear plans", (400, 9000)),
    _topic("Tech Company", "technology", "customers", "engineers",
           "Cloud Backup, Team Chat, Data Pipeline, Mobile App, Security Audit, Smart Sensor, Analytics Suite, Help Desk",
           "Software Development, Cloud Solutions, Cybersecurity, Data Analytics, IT Consulting, Support",
           "build software that people enjoy using, deliver innovative and reliable technology, keep systems safe and fast", (9, 499)),
    _topic("University", "university", "students", "faculty members",
           "Introduction to Biology, Linear Algebra, World History, Creative Writing, Microeconomics, Data Structures, Organic Chemistry, Philosophy of Mind",
           "Admissions, Degree Programs, Research, Campus Life, Library, Scholarships",
           "prepare students for success in their chosen field, open doors through education, bring research and teaching together", (120, 3200)),
    _topic("Online School", "classroom", "learners", "teachers",
           "Spanish for Beginners, Watercolor Basics, Python in Six Weeks, Photography, Public Speaking, Music Theory, Excel for Work, Guitar",
           "Courses, Tutoring, Certificates, Live Classes, Learning Paths, Community",
           "make learning fun and accessible, adapt lessons to every student, believe that anyone can learn anything", (15, 240)),
    _topic("Real Estate Agency", "house", "clients", "agents",
           "Garden Apartment, City Loft, Family House, Lake Cottage, Penthouse, Townhouse, Studio Flat, Country Villa",
           "Buying, Selling, Renting, Property Management, Valuation, Mortgage Advice",
           "help families to find their dream home, know every street of the city, make buying and selling simple", (95000, 1450000)),
    _topic("Travel Agency", "travel", "travelers", "guides",
           "Weekend in Lisbon, Norwegian Fjords, Safari in Kenya, Kyoto in Spring, Alpine Hiking, Greek Islands, Sahara by Camel, Baltic Cycling",
           "Tours, Flights, Hotels, Cruises, Group Travel, Travel Insurance",
           "plan journeys that you will remember, show places as locals know them, take care of every detail", (190, 4200)),
    _topic("Hotel", "hotel", "guests", "hosts",
           "Single Room, Double Room, Garden Suite, Family Room, Sea View Suite, Penthouse Suite, Spa Day, Airport Transfer",
           "Rooms, Dining, Spa, Meetings, Weddings, Offers",
           "make every stay feel like home, combine comfort and quiet luxury, greet every guest by name", (60, 780)),
    _topic("Fitness Studio", "fitness", "members", "trainers",
           "Day Pass, Yoga Class, Personal Training, Spinning, Pilates, Boxing, Strength Basics, Open Swim",
           "Group Classes, Personal Training, Nutrition, Yoga, Swimming, Recovery",
           "help you to reach your goals, welcome every level of fitness, make training the best part of the day", (8, 120)),
    _topic("Fashion Store", "fashion", "customers", "designers",
           "Linen Shirt, Wool Coat, Denim Jacket, Silk Scarf, Leather Boots, Summer Dress, Cotton Sweater, Canvas Tote, Rain Jacket, Pleated Skirt",
           "New Arrivals, Women, Men, Accessories, Sale, Size Guide",
           "design clothes that last, choose natural fabrics, pay everyone who sews for us fairly", (18, 390)),
    _topic("Jewelry Boutique", "jewelry", "customers", "goldsmiths",
           "Pearl Earrings, Silver Ring, Gold Bracelet, Opal Pendant, Signet Ring, Emerald Necklace, Cufflinks, Anklet",
           "Rings, Necklaces, Repairs, Engraving, Custom Designs, Appraisals",
           "make each piece by hand, work with recycled gold and silver, craft jewelry for life's big moments", (45, 3900)),
    _topic("Art Gallery", "art", "visitors", "curators",
           "Morning in Blue, Untitled No. 4, The Ferry, Still Life with Lemons, Northern Light, Two Chairs, Red Field, Portrait of a Sailor",
           "Exhibitions, Artists, Collections, Tours, Prints, Membership",
           "celebrate the diversity of artists, show work that starts a conversation, believe that art is for everyone", (80, 6400)),
    _topic("Photography Studio", "photography", "clients", "photographers",
           "Family Session, Wedding Package, Headshots, Product Shoot, Newborn Session, Fine Art Print, Event Coverage",
           "Weddings, Portraits, Commercial, Events, Prints, Workshops",
           "capture moments as they really were, work with natural light, tell your story in pictures", (60, 2800)),
    _topic("Book Publisher", "books", "readers", "editors",
           "The Salt Road, A Quiet Harbor, Letters to Nora, Winter Gardens, The Glass Orchard, Small Rivers, Ten Thousand Steps, The Clockmaker",
           "New Releases, Authors, Bestsellers, Events, Submissions, Newsletter",
           "publish books that stay with you, give new voices a home, strive for stories that inform and delight", (7, 45)),
    _topic("News Magazine", "newspaper", "readers", "reporters",
           "Morning Briefing, Weekend Edition, Digital Pass, Student Plan, City Report, Science Letter",
           "World, Politics, Business, Science, Culture, Sports",
           "report the facts without fear, explain what is behind the headlines, bring stories from every corner of the world", (3, 39)),
    _topic("Nonprofit Organization", "volunteer", "communities", "volunteers",
           "School Kit, Clean Water Filter, Tree Planting, Winter Coat Drive, Food Parcel, Reading Club",
           "Our Mission, Programs, Donate, Volunteer, Impact, Partners",
           "make a lasting difference in our community, stand by families in need, believe that small acts change the world", (5, 250)),
    _topic("Garden Center", "garden", "gardeners", "gardeners",
           "Lavender, Climbing Rose, Tomato Seedling, Terracotta Pot, Olive Tree, Fern, Compost Bin, Pruning Shears, Wildflower Seeds, Hydrangea",
           "Plants, Tools, Landscaping, Workshops, Delivery, Plant Care",
           "grow most of our plants ourselves, give advice that works in your soil, make every balcony bloom", (3, 160)),
    _topic("Furniture Store", "furniture", "customers", "craftspeople",
           "Oak Table, Lounge Chair, Bookshelf, Walnut Bed, Floor Lamp, Linen Sofa, Side Table, Writing Desk, Wool Rug, Wardrobe",
           "Living Room, Bedroom, Dining, Office, Lighting, Interior Design",
           "build furniture for generations, use certified wood only, help you to create a home that you love", (49, 2900)),
    _topic("Pet Clinic", "dog", "pet owners", "veterinarians",
           "Annual Check-up, Vaccination, Dental Cleaning, Microchip, Grooming, Puppy Course, Surgery, Nutrition Advice",
           "Check-ups, Surgery, Grooming, Boarding, Emergencies, Pet Shop",
           "treat every animal as our own, keep your pets healthy and happy, are there day and night", (18, 620)),
    _topic("Financial Services", "finance", "clients", "advisors",
           "Savings Plan, Tax Return, Retirement Review, Investment Portfolio, Business Loan, Insurance Check",
           "Personal Finance, Investment Management, Tax Planning, Insurance, Retirement, Business Banking",
           "help you to make the most of your money, give independent advice, plan for the long term", (50, 1900)),
    _topic("Music School", "music", "students", "musicians",
           "Piano Lesson, Violin Lesson, Drum Workshop, Choir, Jazz Ensemble, Music for Toddlers, Cello Rental, Songwriting",
           "Lessons, Ensembles, Concerts, Instruments, Summer Camp, Teachers",
           "share the joy of playing together, teach every style from Bach to blues, give young talent a stage", (15, 320)),
    _topic("Architecture Studio", "architecture", "clients", "architects",
           "Harbor Library, House on the Slope, Timber School, Market Hall, Brick Courtyard, River Pavilion, Studio Tower",
           "Residential, Public Buildings, Interiors, Urban Planning, Restoration, Competitions",
           "design spaces that serve people, build with wood and light, respect the history of every place", (900, 48000)),
    _topic("Electronics Store", "electronics", "customers", "technicians",
           "Wireless Headphones, Smart Watch, Tablet, Mechanical Keyboard, Portable Speaker, 4K Monitor, Action Camera, Laptop Stand, Power Bank, Webcam",
           "Computers, Audio, Smart Home, Repairs, Trade-in, Support",
           "test everything that we sell, repair before we replace, bring the latest technology to you", (15, 1400)),
)  # fmt: skip
